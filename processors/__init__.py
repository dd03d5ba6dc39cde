"""What turns an event into new events: one folder a craft; plain functions on arrays, with thin handlers on top."""
