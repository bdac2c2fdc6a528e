// Renders mapping templates with Apache Velocity: a case a line (template, body, parameters, context, stage_variables);
// answers {"text", "context"} or {"error"}. Janino compiles it, which has no lambdas and no generics of methods.
import com.fasterxml.jackson.databind.ObjectMapper;
import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.Option;
import com.jayway.jsonpath.spi.json.JacksonJsonProvider;
import com.jayway.jsonpath.spi.json.JsonProvider;
import com.jayway.jsonpath.spi.mapper.JacksonMappingProvider;
import com.jayway.jsonpath.spi.mapper.MappingProvider;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;

public class Velocity {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Configuration PATHS = paths();

    static Configuration paths() {
        Configuration.setDefaults(new Configuration.Defaults() { // those of the library need one more library
            public JsonProvider jsonProvider() {
                return new JacksonJsonProvider();
            }

            public Set options() {
                return EnumSet.of(Option.SUPPRESS_EXCEPTIONS);
            }

            public MappingProvider mappingProvider() {
                return new JacksonMappingProvider();
            }
        });
        return Configuration.defaultConfiguration();
    }

    /** `$input` */
    public static class Input {
        private final Object document;
        private final Map parameters;
        public final String body;

        public Input(String body, Map parameters) {
            this.body = body;
            this.parameters = parameters;
            Object read;
            try {
                read = body.isEmpty() ? new LinkedHashMap() : JSON.readValue(body, Object.class);
            } catch (java.io.IOException notJson) {
                read = body;
            }
            this.document = read;
        }

        public String getBody() {
            return body;
        }

        public Object path(String path) {
            return path.equals("$") ? document : JsonPath.using(PATHS).parse(document).read(path);
        }

        public String json(String path) throws Exception {
            return JSON.writeValueAsString(path(path));
        }

        public Object params() {
            return parameters;
        }

        public Object params(String name) {
            String[] places = new String[] {"path", "querystring", "header"};
            for (int i = 0; i < places.length; i++) {
                Map place = (Map) parameters.get(places[i]);
                if (place != null && place.containsKey(name)) {
                    return place.get(name);
                }
            }
            return "";
        }
    }

    /** `$util` */
    public static class Util {
        public String base64Encode(String text) {
            return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
        }

        public String base64Decode(String text) {
            return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
        }

        public String urlEncode(String text) throws Exception {
            return java.net.URLEncoder.encode(text, "UTF-8");
        }

        public String urlDecode(String text) throws Exception {
            return java.net.URLDecoder.decode(text, "UTF-8");
        }

        public String escapeJavaScript(String text) {
            return StringEscapeUtils.escapeJavaScript(text);
        }

        public Object parseJson(String text) throws Exception {
            return JSON.readValue(text, Object.class);
        }
    }

    static Map answer(VelocityEngine engine, Map given) {
        Map answer = new LinkedHashMap();
        try {
            VelocityContext names = new VelocityContext();
            names.put("input", new Input((String) given.get("body"), (Map) given.get("parameters")));
            names.put("util", new Util());
            names.put("context", given.get("context"));
            names.put("stageVariables", given.get("stage_variables"));
            StringWriter text = new StringWriter();
            engine.evaluate(names, text, "template", (String) given.get("template"));
            answer.put("text", text.toString());
            answer.put("context", given.get("context"));
        } catch (Throwable error) {
            answer.put("error", error.toString());
        }
        return answer;
    }

    public static void main(String[] arguments) throws Exception {
        VelocityEngine engine = new VelocityEngine();
        engine.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
        engine.init();
        BufferedReader cases = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, false, "UTF-8");
        for (String line = cases.readLine(); line != null; line = cases.readLine()) {
            answers.println(JSON.writeValueAsString(answer(engine, (Map) JSON.readValue(line, Map.class))));
        }
        answers.flush();
    }
}
