"""Who may do what: identities, their credentials and tokens, and the permissions of the roles."""
