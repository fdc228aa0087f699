import { Tabs } from "@mantine/core";
import { Route, Routes, useNavigate } from "react-router";
import { useKeeper } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { About } from "./About";
import { Account } from "./Account";
import { Parcels } from "./Parcels";
import { Preferences } from "./Preferences";
import { Remembered } from "./Remembered";

const TABS = {
  preferences: "Preferences",
  remembered: "History and cache",
  account: "Signing in",
  parcels: "Export and import",
  about: "About",
} as const;
type Tab = keyof typeof TABS;

/** What is a person's own to decide, and how this Ownkey is. */
export default function Settings() {
  return (
    <>
      <PageHead title="Settings" />
      <Routes>
        {(Object.keys(TABS) as Tab[]).map((tab) => (
          <Route key={tab} path={tab} element={<Shown tab={tab} />} />
        ))}
        <Route path="*" element={<Shown tab="preferences" />} />
      </Routes>
    </>
  );
}

function Shown({ tab }: { tab: Tab }) {
  const navigate = useNavigate();
  const keeper = useKeeper();
  const tabs = (Object.keys(TABS) as Tab[]).filter((one) => keeper || one !== "parcels");
  return (
    <Tabs value={tab} onChange={(next) => void navigate(`/settings/${next}`)} keepMounted={false}>
      <Tabs.List mb="lg">
        {tabs.map((one) => (
          <Tabs.Tab key={one} value={one}>
            {TABS[one]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="preferences">
        <Preferences />
      </Tabs.Panel>
      <Tabs.Panel value="remembered">
        <Remembered />
      </Tabs.Panel>
      <Tabs.Panel value="account">
        <Account />
      </Tabs.Panel>
      <Tabs.Panel value="parcels">
        <Parcels />
      </Tabs.Panel>
      <Tabs.Panel value="about">
        <About />
      </Tabs.Panel>
    </Tabs>
  );
}
