import { Tabs } from "@mantine/core";
import { Route, Routes, useNavigate } from "react-router";
import { PageHead } from "../../parts/PageHead";
import { Alerts } from "./Alerts";
import { Trail } from "./Trail";

/** Who did what, and what a person should know of. */
export default function Activity() {
  return (
    <>
      <PageHead
        title="Activity"
        says="Who did what, in an order that nobody can change unseen; and what you should know of."
      />
      <Routes>
        <Route path="alerts" element={<Shown tab="alerts" />} />
        <Route path="*" element={<Shown tab="trail" />} />
      </Routes>
    </>
  );
}

const PATHS = { trail: "/activity", alerts: "/activity/alerts" } as const;

function Shown({ tab }: { tab: keyof typeof PATHS }) {
  const navigate = useNavigate();
  return (
    <Tabs value={tab} onChange={(next) => void navigate(PATHS[next as keyof typeof PATHS])} keepMounted={false}>
      <Tabs.List mb="md">
        <Tabs.Tab value="trail">Audit trail</Tabs.Tab>
        <Tabs.Tab value="alerts">Alerts</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="trail">
        <Trail />
      </Tabs.Panel>
      <Tabs.Panel value="alerts">
        <Alerts />
      </Tabs.Panel>
    </Tabs>
  );
}
