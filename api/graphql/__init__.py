"""GraphQL: one module a subject; `schema` puts them together, `engine` runs them."""
