"""How people reach it: GraphQL, REST, command line and page."""
