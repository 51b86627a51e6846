"""Taking in an existing Alyx: a Django dump of it, model by model, as `manage.py import_alyx` does."""
