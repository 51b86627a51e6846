"""The screens of a tablet, against a served instance that can be killed."""
