import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  Kbd,
  NavLink,
  Text,
  UnstyledButton,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { IconMoon, IconSearch, IconSun, IconUserCircle } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { Link, Outlet, useLocation } from "react-router";
import { useLive } from "../api/live";
import { Waiting } from "../parts/States";
import classes from "./Frame.module.css";
import { Proof } from "./Proof";
import { useKeeper } from "./session";
import { RAIL, root, type View } from "./view";

const AccountMenu = lazy(() => import("./AccountMenu"));
const Finder = lazy(() => import("./Finder"));

/** The rail, what is at the top, and the view; on a phone a bar at the bottom. */
export default function Frame() {
  useLive();
  const keeper = useKeeper();
  const [opened, { toggle, close }] = useDisclosure();
  const [finding, setFinding] = useState(false);
  useHotkeys([["mod + K", () => setFinding(true)]], []);
  const views = RAIL.filter((view) => keeper || !view.keepers);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 212, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", sm: "lg" }}
      transitionDuration={120}
    >
      <a className="skip" href="#view">
        Skip to the view
      </a>
      <AppShell.Header className={classes.head}>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="All views" />
            <Link to="/" className={classes.brand}>
              <img src="/favicon.svg" alt="" width={24} height={24} />
              <Text span fw={600}>
                Ownkey
              </Text>
            </Link>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <UnstyledButton className={classes.find} onClick={() => setFinding(true)} aria-label="Find anything ⌘K">
              <IconSearch size={16} aria-hidden />
              <Text span size="sm" visibleFrom="sm">
                Find anything
              </Text>
              <Text span className="hidden" hiddenFrom="sm">
                Find anything
              </Text>
              <Kbd visibleFrom="sm" aria-hidden>
                ⌘K
              </Kbd>
            </UnstyledButton>
            <Colours />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" className={classes.rail} aria-label="Views">
        {views.map((view) => (
          <RailLink key={view.path} view={view} go={close} />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="view" tabIndex={-1} className={classes.main}>
        <Suspense fallback={<Waiting rows={6} />}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
      <nav className={classes.bottom} aria-label="Main views">
        {views
          .filter((view) => view.thumb)
          .map((view) => (
            <BottomLink key={view.path} view={view} />
          ))}
      </nav>
      <Proof />
      {finding && (
        <Suspense fallback={null}>
          <Finder close={() => setFinding(false)} />
        </Suspense>
      )}
    </AppShell>
  );
}

function useHere(view: View): boolean {
  const { pathname } = useLocation();
  const at = root(view);
  return at === "/" ? pathname === "/" : pathname === at || (pathname.startsWith(`${at}/`) && !deeper(pathname, at));
}

/** Whether another view of the rail lies deeper along this path: `/settings/byok` is no part of `/settings`. */
function deeper(pathname: string, at: string): boolean {
  return RAIL.some((other) => {
    const its = root(other);
    return its.startsWith(`${at}/`) && (pathname === its || pathname.startsWith(`${its}/`));
  });
}

function RailLink({ view, go }: { view: View; go: () => void }) {
  const here = useHere(view);
  return (
    <NavLink
      component={Link}
      to={root(view)}
      onClick={go}
      label={view.title}
      active={here}
      aria-current={here ? "page" : undefined}
      leftSection={<view.icon size={18} stroke={1.6} aria-hidden />}
      className={classes.link}
    />
  );
}

function BottomLink({ view }: { view: View }) {
  const here = useHere(view);
  return (
    <Link to={root(view)} aria-current={here ? "page" : undefined} className={classes.thumb}>
      <view.icon size={20} stroke={1.6} aria-hidden />
      <span>{view.title}</span>
    </Link>
  );
}

function Colours() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const dark =
    colorScheme === "dark" || (colorScheme === "auto" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={dark ? "Use light colours" : "Use dark colours"}
      onClick={() => setColorScheme(dark ? "light" : "dark")}
    >
      {dark ? <IconSun size={18} aria-hidden /> : <IconMoon size={18} aria-hidden />}
    </ActionIcon>
  );
}

function Account() {
  const [opened, setOpened] = useState(false);
  const button = (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label="Your account"
      aria-haspopup="menu"
      aria-expanded={false}
      onClick={() => setOpened(true)}
    >
      <IconUserCircle size={20} stroke={1.6} aria-hidden />
    </ActionIcon>
  );
  return opened ? (
    <Suspense fallback={button}>
      <AccountMenu button={button} />
    </Suspense>
  ) : (
    button
  );
}
