"""Real S3 servers for tests, started and ended by the tests themselves."""
