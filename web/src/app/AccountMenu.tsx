import { Menu } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import type { ReactElement } from "react";
import { Link } from "react-router";
import { usePerson, useSignOut } from "./session";

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
