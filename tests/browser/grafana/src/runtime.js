// What Grafana's own server and core would have set up before a dashboard is shown.
import {
  EventBusSrv, FieldConfigProperty, LoadingState, booleanOverrideProcessor, dataLinksOverrideProcessor,
  displayNameOverrideProcessor, identityOverrideProcessor, numberOverrideProcessor, setTimeZoneResolver,
  standardEditorsRegistry, standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry,
  stringOverrideProcessor, thresholdsOverrideProcessor, unitOverrideProcessor, valueMappingsOverrideProcessor,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import {
  config, setAppEvents, setDataSourceSrv, setPluginImportUtils, setRunRequest, setTemplateSrv,
} from '@grafana/runtime';
import { catchError, from, map, of, startWith } from 'rxjs';

const NO_EDITOR = () => null;

// How values of a field's standard options, and what overrides say of them, are understood.
const STANDARD_OPTIONS = {
  displayName: displayNameOverrideProcessor,
  unit: unitOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  fieldMinMax: booleanOverrideProcessor,
  decimals: numberOverrideProcessor,
  noValue: stringOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  links: dataLinksOverrideProcessor,
  actions: identityOverrideProcessor,
  color: identityOverrideProcessor,
  filterable: booleanOverrideProcessor,
};

const standardOption = ([id, process]) => ({
  id,
  path: id,
  name: id,
  editor: NO_EDITOR,
  override: NO_EDITOR,
  process,
  settings: {},
  shouldApply: () => true,
  // Without a mode, Grafana's core colours by the classic palette.
  ...(id === FieldConfigProperty.Color && { defaultValue: { mode: 'palette-classic' } }),
  ...(id === FieldConfigProperty.Thresholds && {
    defaultValue: { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] },
  }),
});

function transformers() {
  const distinct = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
  return [...distinct.values()].map((one) => ({
    id: one.id,
    name: one.name,
    editor: NO_EDITOR,
    transformation: async () => one,
  }));
}

// A request ends in data or in an error, never in silence: errors are kept for the test to see.
function runRequest(dataSource, request, query = dataSource.query.bind(dataSource)) {
  const common = { request, timeRange: request.range };
  return from(query(request)).pipe(
    map(({ data }) => ({ ...common, state: LoadingState.Done, series: data, annotations: [] })),
    catchError((error) => {
      window.queryErrors.push(String(error.message));
      return of({ ...common, state: LoadingState.Error, series: [], errors: [{ message: error.message }] });
    }),
    startWith({ ...common, state: LoadingState.Loading, series: [] }),
  );
}

export async function setUp(timeZone, theme, dataSource) {
  window.queryErrors = [];
  config.theme2 = theme;
  config.theme = theme.v1;
  config.featureToggles = {};
  config.bootData.user.timezone = timeZone;
  setTimeZoneResolver(() => timeZone);
  setAppEvents(new EventBusSrv());
  setRunRequest(runRequest);
  setPluginImportUtils({
    getPanelPluginFromCache: () => undefined,
    importPanelPlugin: (id) => Promise.reject(new Error(`no panel of type ${id} here`)),
  });
  setTemplateSrv({ getVariables: () => [], replace: (text) => text });
  setDataSourceSrv({
    get: (ref) => Promise.reject(new Error(`no data source ${JSON.stringify(ref)}`)),
    getInstanceSettings: () => dataSource.instanceSettings,
    getList: () => [dataSource.instanceSettings],
  });
  standardFieldConfigEditorRegistry.setInit(() => Object.entries(STANDARD_OPTIONS).map(standardOption));
  standardEditorsRegistry.setInit(() =>
    ['text', 'number', 'boolean', 'select', 'unit', 'stats-picker', 'thresholds', 'field-name'].map((id) => ({
      id, name: id, editor: NO_EDITOR,
    })),
  );
  standardTransformersRegistry.setInit(transformers);
  await initPluginTranslations('grafana-scenes', []);
}
