import { IconMessage } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/chat/*",
  title: "Chat",
  icon: IconMessage,
  rail: 2,
  thumb: true,
  found: ["playground", "compare models", "prompt", "ask", "history"],
  load: () => import("./Chat"),
} satisfies View;
