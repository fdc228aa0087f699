import { IconSettings } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/settings/*",
  title: "Settings",
  icon: IconSettings,
  rail: 11,
  found: [
    "preferences",
    "history",
    "cache",
    "export",
    "import",
    "password",
    "passkey",
    "sessions",
    "vault",
    "agreement",
  ],
  load: () => import("./Settings"),
} satisfies View;
