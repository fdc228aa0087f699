import { IconHome } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/",
  title: "Home",
  icon: IconHome,
  rail: 1,
  thumb: true,
  load: () => import("./Home"),
} satisfies View;
