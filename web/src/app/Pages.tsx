import { Component, type ComponentType, lazy, type ReactNode, Suspense } from "react";
import { BrowserRouter, Link, Outlet, Route, Routes, useLocation } from "react-router";
import { Empty, Failed, Waiting } from "../parts/States";
import Frame from "./Frame";
import { SignedIn } from "./session";
import { VIEWS, type View } from "./view";

const DRAWN = new Map<View, ComponentType>(VIEWS.map((view) => [view, lazy(view.load)]));

/** Every view at its address. */
export default function Pages() {
  return (
    <BrowserRouter>
      <Routes>
        <Route element={<Bare />}>{VIEWS.filter((view) => view.bare).map(routeOf)}</Route>
        <Route element={<Inside />}>
          {VIEWS.filter((view) => !view.bare).map(routeOf)}
          <Route path="*" element={<Nowhere />} />
        </Route>
      </Routes>
    </BrowserRouter>
  );
}

function routeOf(view: View) {
  const Drawn = DRAWN.get(view) as ComponentType;
  return <Route key={view.path} path={view.path} element={<Guarded view={<Drawn />} />} />;
}

function Inside() {
  return (
    <SignedIn>
      <Frame />
    </SignedIn>
  );
}

function Bare() {
  return (
    <Suspense fallback={<Waiting rows={6} />}>
      <Outlet />
    </Suspense>
  );
}

/** A view that broke, in its place: the rail stays, and another address is drawn anew. */
function Guarded({ view }: { view: ReactNode }) {
  const { pathname } = useLocation();
  return <Guard key={pathname.split("/", 2).join("/")}>{view}</Guard>;
}

class Guard extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <Failed error={this.state.error} retry={() => window.location.reload()} />;
  }
}

function Nowhere() {
  return (
    <Empty title="There is nothing at this address" action={<Link to="/">Go to Home</Link>}>
      It may have been removed, or the address was not copied whole.
    </Empty>
  );
}
