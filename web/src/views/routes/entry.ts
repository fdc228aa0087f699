import { IconRoute } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/routes/*",
  title: "Routes",
  icon: IconRoute,
  rail: 7,
  found: ["fallback", "auto", "cheapest", "fastest", "consents", "waiting requests", "local only"],
  load: () => import("./Routes"),
} satisfies View;
