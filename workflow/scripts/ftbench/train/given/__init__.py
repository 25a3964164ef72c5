"""Predictions from outside: the forms of the user's files, the images that their rows mean, and the files of a run made of them."""
