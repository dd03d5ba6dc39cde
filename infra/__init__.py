"""Everything that touches the outside: adapters of the ports, settings, wiring, the runners."""
