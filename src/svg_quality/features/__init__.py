"""What a picture is, in numbers: ResNet-50 features and converter-aware descriptors."""
