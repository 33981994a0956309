"""The project and the customer's side: who people are, what we may do, what happened."""
