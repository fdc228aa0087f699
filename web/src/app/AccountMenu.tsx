import { Menu } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { Link } from "react-router";
import { api, rememberProof } from "../api/client";
import { asProblem } from "../api/problem";
import { useSay } from "../parts/Said";
import { refresh } from "../views/providers/data";
import { removeNow } from "../views/providers/removal";
import { usePerson } from "./session";

/** Who is signed in, and out again; open from the first, below `button`. */
export default function AccountMenu({ button }: { button: ReactElement }) {
  const person = usePerson();
  const signOut = useSignOut();
  return (
    <Menu position="bottom-end" withinPortal defaultOpened returnFocus>
      <Menu.Target>{button}</Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{person.name}</Menu.Label>
        <Menu.Item component={Link} to="/settings">
          Settings
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** Does what was to be done in a moment, ends the session here, and forgets all that was read in it. */
function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  const say = useSay();
  return async () => {
    try {
      await removeNow();
      await api.DELETE("/api/byok/sessions/current");
    } catch (error) {
      const problem = asProblem(error);
      if (!problem.signedOut) {
        say(`You are still signed in. ${problem.said}`);
        return refresh(queries);
      }
    }
    rememberProof(null);
    queries.clear();
    window.location.assign("/sign-in");
  };
}
