package commit

const childEnv = "HUBFS_COMMIT_TEST_CHILD"

func child() {}
