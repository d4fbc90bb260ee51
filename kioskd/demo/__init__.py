"""The demo: a dashboard server that can be told to misbehave, its front end, and a client with verbs for tests, demo and benchmark."""
