// Java's own HTTP client, set up as it is by default (it offers h2c) and for HTTP/1.1.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;

public class Ask {
    static String base;
    static HttpClient client;

    public static void main(String[] words) throws Exception {
        base = words[0];
        byte[] row = Files.readAllBytes(Path.of(words[1]));
        byte[] many = Files.readAllBytes(Path.of(words[2]));
        for (HttpClient one : new HttpClient[] {
                HttpClient.newHttpClient(),
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()}) {
            client = one;
            ask("row", post().POST(BodyPublishers.ofByteArray(row)));
            ask("row", post().POST(BodyPublishers.ofByteArray(row)));
            ask("row", post().header("Accept-Encoding", "gzip").POST(BodyPublishers.ofByteArray(row)));
            ask("row", post().POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(row))));
            ask("many", post().expectContinue(true).POST(BodyPublishers.ofByteArray(many)));
            ask("head", HttpRequest.newBuilder(URI.create(base + "/health/live"))
                .method("HEAD", BodyPublishers.noBody()));
        }
    }

    static HttpRequest.Builder post() {
        return HttpRequest.newBuilder(URI.create(base + "/predict/mc?seed=42&passes=100"))
            .header("Content-Type", "application/json");
    }

    static void ask(String name, HttpRequest.Builder request) throws Exception {
        var answer = client.send(request.build(), BodyHandlers.ofString());
        System.out.println(name + "\t" + answer.statusCode() + "\t" + answer.body());
    }
}
