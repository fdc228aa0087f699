import { IconLogin2 } from "@tabler/icons-react";
import type { View } from "../../app/view";

export default {
  path: "/sign-in",
  title: "Sign in",
  icon: IconLogin2,
  bare: true,
  load: () => import("./SignIn"),
} satisfies View;
