package hubtest

import "net/http"

// apiError is an answer that is not a success.
type apiError struct {
	Status  int
	Code    string // X-Error-Code
	Message string
	Header  map[string]string
	Extra   map[string]any // of the JSON body, beside "error"
	Text    bool           // the body is text
}

func (e *apiError) Error() string { return e.Message }

var (
	errBadToken  = &apiError{Status: http.StatusUnauthorized, Message: "Invalid credentials in Authorization header"}
	errAnonymous = &apiError{
		Status: http.StatusUnauthorized, Code: "RepoNotFound",
		Message: "Invalid username or password.",
	}
	errRepoNotFound = &apiError{Status: http.StatusNotFound, Code: "RepoNotFound", Message: "Repository not found"}
	errNoRoute      = &apiError{Status: http.StatusNotFound, Message: "Sorry, we can't find the page you are looking for."}
	errDisabled     = &apiError{Status: http.StatusForbidden, Message: "Access to this resource is disabled."}
	errStale        = &apiError{
		Status:  http.StatusPreconditionFailed,
		Message: "The branch was updated since you opened this page. Please refresh and try again.",
	}
)

func forbidden(message string) error {
	return &apiError{Status: http.StatusForbidden, Message: message}
}

func badRequest(message string) error {
	return &apiError{Status: http.StatusBadRequest, Message: message}
}

func unprocessable(message string) error {
	return &apiError{Status: http.StatusUnprocessableEntity, Message: message}
}

func tooLarge(message string) error {
	return &apiError{Status: http.StatusRequestEntityTooLarge, Message: message}
}

func conflict(message string, extra map[string]any) error {
	return &apiError{Status: http.StatusConflict, Message: message, Extra: extra}
}

func noSuchRevision(rev string) error {
	return &apiError{Status: http.StatusNotFound, Code: "RevisionNotFound", Message: "Invalid rev id: " + rev}
}

// noSuchFile is what a commit that deletes a missing path gets.
func noSuchFile(path string) error {
	return &apiError{
		Status: http.StatusNotFound, Code: "EntryNotFound",
		Message: "A file with this name doesn't exist: " + path,
	}
}

// noSuchEntry is a path that commit does not have; the client keeps the
// answer for that commit, so it is named.
func noSuchEntry(commit string) error {
	return &apiError{
		Status: http.StatusNotFound, Code: "EntryNotFound", Message: "Entry not found",
		Header: map[string]string{"X-Repo-Commit": commit},
	}
}

// gated is a repo whose conditions who has not accepted.
func gated(who *account, id string) error {
	if who == nil {
		return &apiError{
			Status: http.StatusUnauthorized, Code: "GatedRepo",
			Message: "Access to model " + id + " is restricted. You must have access to it and be authenticated to access it. Please log in.",
		}
	}
	return &apiError{
		Status: http.StatusForbidden, Code: "GatedRepo",
		Message: "Access to model " + id + " is restricted and you are not in the authorized list. Visit it to ask for access.",
	}
}
