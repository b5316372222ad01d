// Shows the dashboard that the test has left in window.dashboard:
// {json, prometheus: address, timeZone, mode: light or dark, refresh: instead of the dashboard's own}.
import { createTheme } from '@grafana/data';
import { sceneUtils } from '@grafana/scenes';
import { GlobalStyles, PortalContainer, ThemeContext } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';
import { sceneOf } from './dashboard.js';
import { registerPanels } from './panels.jsx';
import { Prometheus } from './prometheus.js';
import { setUp } from './runtime.js';

const { json, prometheus, refresh, timeZone, mode } = window.dashboard;
const theme = createTheme({ colors: { mode } });
const dataSource = new Prometheus('telemon-prometheus', prometheus);

await setUp(timeZone, theme, dataSource);
sceneUtils.registerRuntimeDataSource({ dataSource });
registerPanels();
const scene = sceneOf(json, refresh);

createRoot(document.getElementById('root')).render(
  <MemoryRouter>
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h1 style={{ margin: '16px 16px 0', fontSize: 22 }}>{json.title}</h1>
      <div style={{ padding: 16, display: 'flex' }}>
        <scene.Component model={scene} />
      </div>
      <PortalContainer />
    </ThemeContext.Provider>
  </MemoryRouter>,
);
