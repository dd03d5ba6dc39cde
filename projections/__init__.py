"""What turns events into views: one view a module, each with a name, a version and a pure `apply`."""
