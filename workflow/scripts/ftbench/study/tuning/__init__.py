"""What each strategy may try on validation, and what that takes."""
