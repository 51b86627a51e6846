from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("subjects", "0003_animal_side")]

    operations = [
        migrations.AlterModelOptions(
            name="housing", options={"ordering": ["cage_name", "-started_at", "id"], "verbose_name": "cage"}
        )
    ]
