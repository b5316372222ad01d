"""Lost callers who are to be called back: who they are, until when, and where their numbers are kept meanwhile."""
