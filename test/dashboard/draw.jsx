// Draw a dashboard of Grafana's with the components that Grafana draws it with: @grafana/ui and @grafana/data.
//
// window.run has what there is to draw (test/perl/BurrowTest/Dashboard.pm writes it):
//
//	dashboard   the dashboard's JSON, as it is
//	answers     of Prometheus to each query: { panel's id: [one for each target] }, as its API has given them
//	from, to, step   of the range queries, in seconds
//	variables   { name: text to show for it }
//
// What Grafana itself does is done here in small: it makes frames of Prometheus's answers and puts panels into a grid.

import { createRoot } from "react-dom/client";
import "@fontsource/inter/latin-400.css";
import "@fontsource/inter/latin-500.css";
import "uplot/dist/uPlot.min.css";
import {
	applyFieldOverrides, createTheme, dateTime, FieldConfigOptionsRegistry, FieldType, getFieldDisplayValues, renderLegendFormat,
	standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry, ThemeContext, toDataFrame, transformDataFrame,
} from "@grafana/data";
import { BigValue, GlobalStyles, PanelChrome, TimeSeries } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";

const { dashboard, answers, from, to, step, variables } = window.run;
const theme = createTheme({ colors: { mode: "light" } });
const timeZone = "utc";
const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: dateTime(from * 1000), to: dateTime(to * 1000) } };
const same = (value) => value;

// The grid that Grafana lays panels into: 24 columns, rows of 30 pixels, 8 pixels between.
const gap = 8;
const row = 30;
const width = window.innerWidth - 2 * gap;
const column = (width + gap) / 24;

// What a panel's kind sets where the dashboard does not say.
const defaults = {
	stat: {},
	table: { custom: { align: "auto", cellOptions: { type: "auto" } } },
	timeseries: {
		color: { mode: "palette-classic" },
		custom: {
			drawStyle: "line", lineInterpolation: "linear", lineWidth: 1, fillOpacity: 0, gradientMode: "none", showPoints: "auto", pointSize: 5,
			spanNulls: false, axisPlacement: "auto", axisLabel: "", scaleDistribution: { type: "linear" },
			hideFrom: { tooltip: false, viz: false, legend: false }, thresholdsStyle: { mode: "off" },
		},
	},
};

// Fields' options that may be set, of all kinds of panels.
const option = (id) => ({ id, path: id.replace(/^custom\./, ""), name: id, isCustom: id.startsWith("custom."), process: same, shouldApply: () => true });
const options = () => ["unit", "min", "max", "decimals", "displayName", "color", "noValue", "thresholds", "mappings"].map(option);
standardFieldConfigEditorRegistry.setInit(options);
const fieldConfigRegistry = new FieldConfigOptionsRegistry(() => [
	...options(), ...[...Object.keys(defaults.timeseries.custom), ...Object.keys(defaults.table.custom), "stacking"].map((name) => option(`custom.${name}`)),
]);
// some have two names, and one number
standardTransformersRegistry.setInit(() => [...new Map(Object.values(standardTransformers).map((t) => [t.id, { id: t.id, name: t.name, transformation: async () => t }])).values()]);

// Prometheus's numbers; NaN and infinities are gaps.
const number = (text) => (Number.isFinite(Number(text)) ? Number(text) : null);

// A frame for each series of a range, with a value for each step.
function seriesFrames(target, result) {
	const times = [];
	for (let time = from; time <= to; time += step)
		times.push(time * 1000);
	return result.map(({ metric, values }) => {
		const at = new Map(values.map(([time, value]) => [time * 1000, number(value)]));
		return toDataFrame({
			refId: target.refId,
			fields: [
				{ name: "Time", type: FieldType.time, config: { interval: step * 1000 }, values: times },
				{
					name: "Value", type: FieldType.number, labels: metric, values: times.map((time) => at.get(time) ?? null),
					config: { displayNameFromDS: renderLegendFormat(target.legendFormat, metric) },
				},
			],
		});
	});
}

// One frame with a row for each sample, and a field for each label.
function tableFrame(target, result) {
	const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
	return [toDataFrame({
		refId: target.refId,
		fields: [
			{ name: "Time", type: FieldType.time, values: result.map(({ value }) => value[0] * 1000) },
			...labels.map((name) => ({ name, type: FieldType.string, config: { filterable: true }, values: result.map(({ metric }) => metric[name] ?? "") })),
			{ name: "Value", type: FieldType.number, values: result.map(({ value }) => number(value[1])) },
		],
	})];
}

function frames(panel) {
	return panel.targets.flatMap((target, i) => {
		const { resultType, result } = answers[panel.id][i];
		if (target.format === "table")
			return tableFrame(target, result);
		return seriesFrames(target, resultType === "matrix" ? result : result.map(({ metric, value }) => ({ metric, values: [[to, value[1]]] })));
	});
}

// The dashboard's field config, over the kind's; a table's cells have had another name for their display.
function fieldConfigOf(panel) {
	const kind = defaults[panel.type];
	const { defaults: own, overrides } = panel.fieldConfig;
	const custom = { ...kind.custom, ...own.custom };
	if (custom.stacking)
		custom.stacking = { group: "A", ...custom.stacking };
	return {
		defaults: { ...kind, ...own, custom },
		overrides: overrides.map((rule) => ({
			...rule,
			properties: rule.properties.map((property) => (property.id === "custom.displayMode" ? { id: "custom.cellOptions", value: { type: property.value } } : property)),
		})),
	};
}

const draw = {
	stat(panel, data, fieldConfig, width, height) {
		const { reduceOptions, colorMode, graphMode, justifyMode, textMode } = panel.options;
		const [value] = getFieldDisplayValues({ fieldConfig, reduceOptions, replaceVariables: same, theme, data, timeZone });
		return <BigValue theme={theme} value={value.display} {...{ width, height, colorMode, graphMode, justifyMode, textMode }} />;
	},
	table(panel, data, fieldConfig, width, height) {
		if (!data[0].length)
			return <p>{panel.fieldConfig.defaults.noValue ?? "No data"}</p>;
		return <TableNG data={data[0]} sortBy={panel.options.sortBy} structureRev={1} {...{ fieldConfig, width, height }} />;
	},
	timeseries(panel, data, fieldConfig, width, height) {
		return <TimeSeries frames={data} legend={panel.options.legend} options={panel.options} {...{ width, height, timeRange, timeZone }} />;
	},
};

function Panel({ panel, transformed }) {
	const { x, y, w, h } = panel.gridPos;
	const fieldConfig = fieldConfigOf(panel);
	const data = applyFieldOverrides({ data: transformed, fieldConfig, fieldConfigRegistry, replaceVariables: same, theme, timeZone });
	const place = { position: "absolute", left: x * column, top: y * (row + gap) };
	const outside = { width: Math.floor(w * column - gap), height: h * (row + gap) - gap };
	return (
		<div style={place} data-panel={panel.id}>
			<PanelChrome title={panel.title} {...outside} padding={panel.type === "table" ? "none" : "md"}>
				{(innerWidth, innerHeight) => draw[panel.type](panel, data, fieldConfig, innerWidth, innerHeight)}
			</PanelChrome>
		</div>
	);
}

function Dashboard({ panels }) {
	const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
	return (
		<ThemeContext.Provider value={theme}>
			<GlobalStyles />
			<div style={{ padding: gap, background: theme.colors.background.canvas, fontFamily: theme.typography.fontFamily }}>
				<h1 style={{ fontSize: 20, margin: "4px 0 12px" }}>
					{dashboard.title}
					{Object.entries(variables).map(([name, text]) => <small key={name} style={{ marginLeft: 24, fontWeight: 400 }}>{name}: {text}</small>)}
				</h1>
				<div style={{ position: "relative", height: bottom * (row + gap) - gap }}>
					{panels.map((props) => <Panel key={props.panel.id} {...props} />)}
				</div>
			</div>
		</ThemeContext.Provider>
	);
}

function transform(panel) {
	return new Promise((resolve) => transformDataFrame(panel.transformations ?? [], frames(panel)).subscribe(resolve));
}

Promise.all(dashboard.panels.map(async (panel) => ({ panel, transformed: await transform(panel) })))
	.then((panels) => {
		createRoot(document.getElementById("dashboard")).render(<Dashboard panels={panels} />);
		// when fonts and canvases are there
		document.fonts.ready.then(() => requestAnimationFrame(() => setTimeout(() => { window.drawn = true; }, 1000)));
	});
