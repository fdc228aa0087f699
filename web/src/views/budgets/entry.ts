import { IconGauge } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/budgets/*",
  title: "Budgets",
  icon: IconGauge,
  rail: 6,
  thumb: true,
  found: ["limits", "spending", "caps", "rate limits", "requests a minute"],
  load: () => import("./Budgets"),
} satisfies View;
