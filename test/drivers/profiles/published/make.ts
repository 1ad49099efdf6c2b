// Writes what is made from the profiles: their JSON Schema and docs/devices.md. Run by 'npm run devices'.
import { writeFileSync } from "node:fs";
import { devicesPage } from "./page.ts";
import { profileSchemaText } from "./schema.ts";

const ROOT = new URL("../../../../", import.meta.url);

writeFileSync(new URL("drivers/profiles/profile.schema.json", ROOT), profileSchemaText());
writeFileSync(new URL("docs/devices.md", ROOT), devicesPage());
