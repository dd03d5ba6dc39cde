"""Reading files that nobody vouches for: what they are, whether they are whole, and their samples."""
