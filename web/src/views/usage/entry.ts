import { IconChartBar } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/usage/*",
  title: "Usage",
  icon: IconChartBar,
  rail: 8,
  thumb: true,
  found: ["cost", "spent", "bill", "tokens", "analytics", "runs", "savings", "export"],
  load: () => import("./Usage"),
} satisfies View;
