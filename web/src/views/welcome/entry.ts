import { IconKey } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/welcome",
  title: "First steps",
  icon: IconKey,
  bare: true,
  load: () => import("./Welcome"),
} satisfies View;
