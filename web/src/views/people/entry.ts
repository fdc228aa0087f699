import { IconUsers } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/people/*",
  title: "People",
  icon: IconUsers,
  rail: 10,
  keepers: true,
  found: ["invite", "members", "roles", "team", "suspend"],
  load: () => import("./People"),
} satisfies View;
