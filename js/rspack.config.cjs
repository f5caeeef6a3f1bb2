// What @jupyter/builder does not know: our sources are TypeScript with Preact's JSX. The bundler's built-in
// transpiler reads them, so a production build needs neither tsc nor JupyterLab's types.
const path = require('node:path');

module.exports = {
  resolve: { extensions: ['.tsx', '.ts', '.js'] },
  module: {
    rules: [
      {
        test: /\.tsx?$/,
        exclude: /node_modules/,
        loader: 'builtin:swc-loader',
        type: 'javascript/auto',
        options: {
          jsc: {
            parser: { syntax: 'typescript', tsx: true },
            target: 'es2022',
            transform: { react: { runtime: 'automatic', importSource: 'preact' } }
          }
        }
      },
      { test: /marked\.esm\.js$/, loader: path.resolve(__dirname, 'bundle/only-lexer.cjs') }
    ]
  }
};
