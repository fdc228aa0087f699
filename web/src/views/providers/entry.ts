import { IconKey } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/settings/byok/*",
  title: "Providers",
  icon: IconKey,
  rail: 4,
  thumb: true,
  found: ["keys", "add provider", "local models", "ollama", "openai", "gallery"],
  load: () => import("./Providers"),
} satisfies View;
