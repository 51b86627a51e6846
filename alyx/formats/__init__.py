"""How dates look and are typed: ISO, everywhere (FORMAT_MODULE_PATH)."""
