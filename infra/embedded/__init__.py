"""The embedded profile: one SQLite file and a folder of blobs, shared by any number of processes."""
