import { IconRepeat } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/automations/*",
  title: "Automations",
  icon: IconRepeat,
  rail: 3,
  found: ["prompts", "starters", "financial analysis", "meeting", "code review", "translation", "comparison"],
  load: () => import("./Automations"),
} satisfies View;
