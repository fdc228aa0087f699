import { IconCpu } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/models/*",
  title: "Models",
  icon: IconCpu,
  rail: 5,
  found: ["compare", "prices", "context", "default model"],
  load: () => import("./Models"),
} satisfies View;
