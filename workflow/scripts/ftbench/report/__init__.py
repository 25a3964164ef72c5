"""Tables and figures, in folders by the chapters of the report."""
