"""Train, validation, test and folds, by logo; and how alike the parts are."""
