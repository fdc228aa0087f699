import { IconPlugConnected } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/connect/*",
  title: "Connect",
  icon: IconPlugConnected,
  rail: 10.5,
  found: [
    "token",
    "snippet",
    "base url",
    "openai",
    "anthropic",
    "google",
    "curl",
    "sdk",
    "tools",
    "cursor",
    "claude code",
  ],
  load: () => import("./Connect"),
} satisfies View;
