// The panel for output cells: one ES module and one style sheet, since anywidget gives a widget no further files. The
// bundler and its built-in transpiler are the labextension's own.
const path = require('node:path');
const rspack = require('@rspack/core');
const lab = require('../rspack.config.cjs');

const js = path.resolve(__dirname, '..');

module.exports = {
  mode: 'production',
  context: js,
  entry: { panel: './src/panel/index.ts' },
  output: {
    path: path.resolve(js, '../jupyter_assistant/static'),
    filename: '[name].js',
    cssFilename: '[name].css',
    library: { type: 'modern-module' },
    module: true,
    compareBeforeEmit: false // so that its time tells what it was built from
  },
  resolve: lab.resolve,
  module: {
    rules: [...lab.module.rules, { test: /\.css$/, type: 'css' }],
    parser: { javascript: { dynamicImportMode: 'eager' } }
  },
  target: ['web', 'es2022'],
  devtool: false,
  performance: { hints: false },
  plugins: [
    new rspack.BannerPlugin({
      banner: '/*! Jupyter Assistant (BSD-3-Clause), with marked (MIT, MarkedJS) and Preact (MIT, Jason Miller) */',
      raw: true,
      include: /\.js$/,
      stage: rspack.Compilation.PROCESS_ASSETS_STAGE_REPORT
    })
  ],
  optimization: {
    minimizer: [
      new rspack.SwcJsMinimizerRspackPlugin({
        extractComments: false,
        minimizerOptions: { ecma: 2022, compress: { passes: 3 }, format: { comments: false } }
      }),
      new rspack.LightningCssMinimizerRspackPlugin({
        // Logical properties and colours as they are: every browser that runs the script knows them.
        minimizerOptions: { targets: ['chrome >= 120', 'firefox >= 121', 'safari >= 17.4'] }
      })
    ]
  }
};
