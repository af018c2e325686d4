"""Training data: pictures of permitted sources, splits by case, windows, augmentation, dense targets."""
