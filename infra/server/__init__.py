"""The server profile: every port on servers of its own, for users who outgrow one machine."""
