import { IconStack2 } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/batches/*",
  title: "Batches",
  icon: IconStack2,
  rail: 3.5,
  found: ["jsonl", "many requests", "files"],
  load: () => import("./Batches"),
} satisfies View;
