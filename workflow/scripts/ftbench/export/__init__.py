"""A trained model outside of its study: exported, predicting a user's images, served on a local page, logged to a tracker."""
